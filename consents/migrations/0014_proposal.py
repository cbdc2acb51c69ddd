import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("consents", "0013_platform_token"),
    ]

    operations = [
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('institution_id', models.UUIDField()),
                ('kind', models.CharField(choices=[('WIDEN', 'Widen'), ('LIFT', 'Lift'), ('WITHDRAW', 'Withdraw'), ('MERCHANT', 'Merchant')], max_length=10)),
                ('status', models.CharField(choices=[('WAITING', 'Waiting'), ('SIGNED', 'Signed'), ('REFUSED', 'Refused'), ('SUPERSEDED', 'Superseded')], default='WAITING', max_length=10)),
                ('terms', models.JSONField(default=dict)),
                ('base_version', models.PositiveIntegerField(default=0)),
                ('reason_code', models.CharField(max_length=60)),
                ('proposed_by', models.UUIDField()),
                ('proposed_at', models.DateTimeField()),
                ('decided_by', models.UUIDField(null=True)),
                ('decided_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='proposal',
            name='platform',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL),
        ),
        migrations.AddIndex(
            model_name='proposal',
            index=models.Index(fields=['institution_id', 'status', '-proposed_at'], name='proposal_by_bank'),
        ),
    ]
