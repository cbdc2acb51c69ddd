from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sandbox', '0001_first'),
    ]

    operations = [
        migrations.AddField(
            model_name='calendar',
            name='books_on',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='calendar',
            name='seconds_ahead',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
    ]
