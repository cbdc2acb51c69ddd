from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0018_institution_gate_unanswered'),
    ]

    operations = [
        migrations.AddField(
            model_name='syncjob',
            name='not_before_at',
            field=models.DateTimeField(null=True),
        ),
    ]
