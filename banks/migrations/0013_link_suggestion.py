import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0012_transaction_delta'),
    ]

    operations = [
        migrations.CreateModel(
            name='LinkSuggestion',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('pending_transaction_id', models.UUIDField()),
                ('booked_transaction_id', models.UUIDField()),
                ('confidence_percent', models.PositiveSmallIntegerField()),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='linksuggestion',
            name='account',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='banks.account'),
        ),
        migrations.AddConstraint(
            model_name='linksuggestion',
            constraint=models.UniqueConstraint(fields=('account', 'pending_transaction_id', 'booked_transaction_id'), name='link_suggested_once'),
        ),
    ]
