from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0008_fetch_record'),
    ]

    operations = [
        migrations.AddField(
            model_name='connection',
            name='checked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='connection',
            name='expiry_announced_days',
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='connection',
            name='next_sync_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='connection',
            name='purged_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='connection',
            name='unneeded_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['next_sync_at'], name='connection_due'),
        ),
        migrations.AddIndex(
            model_name='connection',
            index=models.Index(fields=['status', 'unneeded_at'], name='connection_unneeded'),
        ),
    ]
