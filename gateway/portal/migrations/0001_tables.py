import django.db.models.deletion
import gateway.portal.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('portal', '0001_export_job'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ExportJob',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('status', models.CharField(choices=[(gateway.portal.models.ExportStatus['QUEUED'], gateway.portal.models.ExportStatus['QUEUED']), (gateway.portal.models.ExportStatus['LEASED'], gateway.portal.models.ExportStatus['LEASED']), (gateway.portal.models.ExportStatus['RETRY_WAIT'], gateway.portal.models.ExportStatus['RETRY_WAIT']), (gateway.portal.models.ExportStatus['READY'], gateway.portal.models.ExportStatus['READY']), (gateway.portal.models.ExportStatus['FAILED'], gateway.portal.models.ExportStatus['FAILED'])], default=gateway.portal.models.ExportStatus['QUEUED'], max_length=12)),
                ('stage', models.CharField(blank=True, max_length=30)),
                ('epoch', models.PositiveIntegerField(default=0)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('dispatched_at', models.DateTimeField(null=True)),
                ('next_attempt_at', models.DateTimeField()),
                ('error_code', models.CharField(blank=True, max_length=40)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('wrapped_key', models.BinaryField()),
                ('chunks', models.PositiveIntegerField(default=0)),
                ('size_bytes', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('status__in', (gateway.portal.models.ExportStatus['QUEUED'], gateway.portal.models.ExportStatus['LEASED'], gateway.portal.models.ExportStatus['RETRY_WAIT']))), fields=['next_attempt_at'], name='export_due'), models.Index(fields=['user', '-created_at'], name='export_by_user'), models.Index(fields=['expires_at'], name='export_over')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', (gateway.portal.models.ExportStatus['QUEUED'], gateway.portal.models.ExportStatus['LEASED'], gateway.portal.models.ExportStatus['RETRY_WAIT']))), fields=('user',), name='export_one_live')],
            },
        ),
        migrations.CreateModel(
            name='ExportChunk',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='portal.exportjob')),
                ('epoch', models.PositiveIntegerField()),
                ('number', models.PositiveIntegerField()),
                ('sealed', models.BinaryField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'epoch', 'number'), name='export_chunk_once')],
            },
        ),
    ]
