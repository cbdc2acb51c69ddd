from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0017_refresh_request'),
    ]

    operations = [
        migrations.AddField(
            model_name='institutiongate',
            name='unanswered',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
