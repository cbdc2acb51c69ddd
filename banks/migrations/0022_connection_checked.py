from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0021_sync_job_checks_only'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['checked_at'], name='connection_checked'),
        ),
    ]
