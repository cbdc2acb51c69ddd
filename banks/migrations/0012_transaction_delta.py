from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0011_account_proof_and_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='transaction',
            name='added_sequence',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='transaction',
            name='link_method',
            field=models.CharField(choices=[('bank', 'Bank'), ('exact', 'Exact')], max_length=10, null=True),
        ),
        migrations.AddField(
            model_name='transaction',
            name='refiled_sequence',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
    ]
