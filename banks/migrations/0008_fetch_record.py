import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0007_institution_gate'),
    ]

    operations = [
        migrations.CreateModel(
            name='FetchRecord',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.UUIDField(null=True)),
                ('resource', models.CharField(max_length=20)),
                ('presence', models.CharField(max_length=10)),
                ('job_id', models.UUIDField()),
                ('epoch', models.PositiveIntegerField()),
                ('fetched_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='fetchrecord',
            name='connection',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='banks.connection'),
        ),
        migrations.AddIndex(
            model_name='fetchrecord',
            index=models.Index(fields=['connection', 'account_id', 'resource', 'fetched_at'], name='fetch_record_window'),
        ),
        migrations.AddIndex(
            model_name='fetchrecord',
            index=models.Index(fields=['fetched_at'], name='fetch_record_old'),
        ),
    ]
