"""A stand-in Slack workspace: channels, people, messages, and one incoming webhook."""
