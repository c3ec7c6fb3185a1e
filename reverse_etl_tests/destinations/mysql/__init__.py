"""MySQL and MariaDB as a destination."""
