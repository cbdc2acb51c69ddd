import uuid

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0011_customer_lookup"),
    ]

    operations = [
        migrations.CreateModel(
            name='ReadCount',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('institution_id', models.UUIDField()),
                ('platform_id', models.UUIDField()),
                ('read_on', models.DateField()),
                ('shard', models.PositiveSmallIntegerField()),
                ('reads', models.PositiveBigIntegerField(default=0)),
                ('last_read_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='RefusedCount',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('institution_id', models.UUIDField()),
                ('platform_id', models.UUIDField()),
                ('code', models.CharField(max_length=40)),
                ('refused_at', models.DateTimeField()),
                ('calls', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.AddConstraint(
            model_name='readcount',
            constraint=models.UniqueConstraint(fields=('institution_id', 'platform_id', 'read_on', 'shard'), name='read_count_once'),
        ),
        migrations.AddConstraint(
            model_name='refusedcount',
            constraint=models.UniqueConstraint(fields=('institution_id', 'platform_id', 'code', 'refused_at'), name='refused_count_once'),
        ),
    ]
