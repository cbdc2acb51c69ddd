from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0006_consent_account_states"),
    ]

    operations = [
        migrations.AddField(
            model_name='platform',
            name='merchant_names',
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name='platform',
            name='status_changed_at',
            field=models.DateTimeField(null=True),
        ),
    ]
