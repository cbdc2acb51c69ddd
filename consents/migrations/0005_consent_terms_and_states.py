from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0004_consent_ended_index"),
    ]

    operations = [
        migrations.AddField(
            model_name='consent',
            name='expiry_announced_days',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='consent',
            name='optional_scopes',
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name='consent',
            name='status_before',
            field=models.CharField(blank=True, db_default='', default='', max_length=30),
        ),
    ]
