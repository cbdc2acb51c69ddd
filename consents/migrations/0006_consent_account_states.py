from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0005_consent_terms_and_states"),
    ]

    operations = [
        migrations.AddField(
            model_name='consentaccount',
            name='status_changed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='consentaccount',
            name='status_initiator',
            field=models.CharField(blank=True, db_default='', default='', max_length=10),
        ),
        migrations.AddField(
            model_name='consentaccount',
            name='status_reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=60),
        ),
        migrations.AddIndex(
            model_name='consentaccount',
            index=models.Index(fields=['institution_id', 'status'], name='consent_account_by_bank'),
        ),
    ]
