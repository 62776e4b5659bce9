"""What is watched, and how it looks: whom Prometheus asks, the dashboards, and pictures of them without Grafana."""
