from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0005_accounts_covered_by_the_bank'),
    ]

    operations = [
        migrations.AddField(
            model_name='institution',
            name='attested_fetches_max',
            field=models.PositiveIntegerField(db_default=24, default=24),
        ),
        migrations.AddField(
            model_name='institution',
            name='authentication_days_max',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='institution',
            name='calls_per_minute_max',
            field=models.PositiveIntegerField(db_default=600, default=600),
        ),
        migrations.AddField(
            model_name='institution',
            name='concurrent_jobs_max',
            field=models.PositiveIntegerField(db_default=3, default=3),
        ),
        migrations.AddField(
            model_name='institution',
            name='queue',
            field=models.CharField(blank=True, db_default='', max_length=60),
        ),
        migrations.AddField(
            model_name='institution',
            name='refresh_minutes',
            field=models.PositiveIntegerField(db_default=360, default=360),
        ),
        migrations.AddField(
            model_name='institution',
            name='unattended_fetches_max',
            field=models.PositiveIntegerField(db_default=4, default=4),
        ),
    ]
