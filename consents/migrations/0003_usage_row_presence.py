from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consents', '0002_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='usagerow',
            name='presence',
            field=models.CharField(max_length=10, null=True),
        ),
    ]
