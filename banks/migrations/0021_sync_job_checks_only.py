from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0020_sync_job_due_at_institution'),
    ]

    operations = [
        migrations.AddField(
            model_name='syncjob',
            name='checks_only',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
