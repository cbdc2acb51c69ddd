from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0001_tables'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(condition=models.Q(('refiled_sequence__gt', models.F('added_sequence'))), fields=['account', 'refiled_sequence'], name='transaction_refiled'),
        ),
    ]
