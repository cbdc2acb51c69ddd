import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('banks', '0015_finding'),
    ]

    operations = [
        migrations.CreateModel(
            name='UpstreamEnding',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('bank_consent_id', models.CharField(max_length=128)),
                ('connection_id', models.UUIDField(null=True)),
                ('reason', models.CharField(max_length=60)),
                ('status', models.CharField(choices=[('PENDING', 'Pending'), ('LEASED', 'Leased'), ('DONE', 'Done'), ('IMPOSSIBLE', 'Impossible')], default='PENDING', max_length=12)),
                ('epoch', models.PositiveIntegerField(default=0)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField()),
                ('dispatched_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('error_code', models.CharField(blank=True, max_length=60)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='upstreamending',
            name='institution',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='banks.institution'),
        ),
        migrations.AddIndex(
            model_name='upstreamending',
            index=models.Index(fields=['status', 'next_attempt_at'], name='upstream_ending_due'),
        ),
        migrations.AddConstraint(
            model_name='upstreamending',
            constraint=models.UniqueConstraint(fields=('institution', 'bank_consent_id'), name='upstream_ending_once'),
        ),
    ]
