from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0019_sync_job_not_before'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='syncjob',
            index=models.Index(fields=['institution', 'status', 'next_attempt_at', 'id'], name='sync_job_due_at_institution'),
        ),
    ]
