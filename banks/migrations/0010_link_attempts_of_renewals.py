from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0009_connection_clocks'),
    ]

    operations = [
        migrations.AddField(
            model_name='linkattempt',
            name='renewed_connection_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name='linkattempt',
            name='consent_id',
            field=models.UUIDField(null=True),
        ),
    ]
