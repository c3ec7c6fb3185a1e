"""What destinations that are asked over HTTP share: connections, answers, JSON, fields of the service."""
