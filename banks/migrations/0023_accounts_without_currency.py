from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0022_connection_checked'),
    ]

    operations = [
        migrations.AlterField(
            model_name='account',
            name='currency',
            field=models.CharField(max_length=3, null=True),
        ),
    ]
