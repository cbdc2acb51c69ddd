import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0014_sync_job_institution'),
    ]

    operations = [
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('BALANCE_DRIFT', 'Balance Drift'), ('HOLDER_CHANGED', 'Holder Changed'), ('HISTORY_SHORT', 'History Short'), ('LIST_UNSTABLE', 'List Unstable'), ('UPSTREAM_NOT_ENDED', 'Upstream Not Ended')], max_length=30)),
                ('connection_id', models.UUIDField(null=True)),
                ('account_id', models.UUIDField(null=True)),
                ('code', models.CharField(blank=True, max_length=60)),
                ('opened_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='finding',
            name='institution',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='banks.institution'),
        ),
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(fields=['closed_at', '-opened_at'], name='finding_open'),
        ),
        migrations.AddConstraint(
            model_name='finding',
            constraint=models.UniqueConstraint(condition=models.Q(('account_id__isnull', False), ('closed_at', None)), fields=('kind', 'connection_id', 'account_id'), name='finding_open_once_per_account'),
        ),
        migrations.AddConstraint(
            model_name='finding',
            constraint=models.UniqueConstraint(condition=models.Q(('account_id', None), ('closed_at', None)), fields=('kind', 'connection_id'), name='finding_open_once_per_connection'),
        ),
    ]
