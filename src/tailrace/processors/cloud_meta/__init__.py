"""The plugin `processor_cloud_meta`: `plugin` is its face, `service` asks the cloud, `members` puts what it said into JSON."""

from tailrace.processors.cloud_meta.plugin import CloudMeta, CloudMetaConfig

__all__ = ["CloudMeta", "CloudMetaConfig"]
