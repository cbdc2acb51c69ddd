import uuid

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0010_report"),
    ]

    operations = [
        migrations.CreateModel(
            name='CustomerLookup',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user_id', models.UUIDField()),
                ('institution_id', models.UUIDField()),
                ('staff_pseudonym', models.UUIDField(null=True)),
                ('reason_code', models.CharField(max_length=60)),
                ('request_id', models.CharField(max_length=64)),
                ('looked_up_at', models.DateTimeField()),
            ],
        ),
        migrations.AddIndex(
            model_name='customerlookup',
            index=models.Index(fields=['user_id', '-looked_up_at'], name='lookup_by_user'),
        ),
    ]
