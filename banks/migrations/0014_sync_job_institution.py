import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0013_link_suggestion'),
    ]

    operations = [
        migrations.AddField(
            model_name='syncjob',
            name='customer_ip_address',
            field=models.GenericIPAddressField(null=True),
        ),
        migrations.AddField(
            model_name='syncjob',
            name='institution',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='banks.institution'),
        ),
        migrations.AlterField(
            model_name='syncjob',
            name='trigger',
            field=models.CharField(choices=[('USER_PRESENT', 'User Present'), ('USER_ATTESTED', 'User Attested'), ('PLATFORM_READ', 'Platform Read'), ('SCHEDULE', 'Schedule'), ('BANK_EVENT', 'Bank Event'), ('BACKFILL', 'Backfill')], max_length=20),
        ),
        migrations.AddIndex(
            model_name='syncjob',
            index=models.Index(fields=['institution', 'status', 'lease_until'], name='sync_job_by_institution'),
        ),
    ]
