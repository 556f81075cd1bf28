"""What is measured, for Prometheus. The only package that imports prometheus_client."""

from reconciler.report.metrics.recording import Metrics

__all__ = ["Metrics"]
