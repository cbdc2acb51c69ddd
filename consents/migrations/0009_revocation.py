import consents.states
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0008_event_log"),
    ]

    operations = [
        migrations.CreateModel(
            name='Revocation',
            fields=[
                ('consent', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='consents.consent')),
                ('initiator', models.CharField(choices=[(consents.states.Initiator['USER'], consents.states.Initiator['USER']), (consents.states.Initiator['PLATFORM'], consents.states.Initiator['PLATFORM']), (consents.states.Initiator['BANK'], consents.states.Initiator['BANK']), (consents.states.Initiator['OPERATOR'], consents.states.Initiator['OPERATOR']), (consents.states.Initiator['SYSTEM'], consents.states.Initiator['SYSTEM'])], max_length=10)),
                ('reason', models.CharField(max_length=60)),
                ('deletes_at_once', models.BooleanField(default=False)),
                ('requested_at', models.DateTimeField()),
                ('tokens_dead_at', models.DateTimeField(null=True)),
                ('serving_stopped_at', models.DateTimeField(null=True)),
                ('purged_at', models.DateTimeField(null=True)),
                ('upstream_stage', models.CharField(blank=True, max_length=20)),
                ('upstream_at', models.DateTimeField(null=True)),
                ('notified_at', models.DateTimeField(null=True)),
                ('acknowledged_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name='revocation',
            index=models.Index(condition=models.Q(('purged_at', None), ('upstream_stage__in', ['', 'UPSTREAM_RETRYING']), _connector='OR'), fields=['requested_at'], name='revocation_open'),
        ),
    ]
