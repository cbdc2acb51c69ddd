from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0010_link_attempts_of_renewals'),
    ]

    operations = [
        migrations.AddField(
            model_name='account',
            name='bank_first_on',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='account',
            name='holder_digest',
            field=models.CharField(blank=True, db_default='', max_length=64),
        ),
        migrations.AddField(
            model_name='account',
            name='next_refresh_after',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='account',
            name='proven_first_on',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='account',
            name='proven_opening_minor',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='account',
            name='transactions_unneeded_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='account',
            name='unneeded_at',
            field=models.DateTimeField(null=True),
        ),
    ]
