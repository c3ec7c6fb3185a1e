"""The kinds of channel: a module each, with ``Config`` and ``send``. The folder is the registry.

``send(config, alert)`` sends one alert once and returns a warning, or nothing; what keeps it from being sent is an
``AlertNotSentError`` in words, without the address and without what a server answers about the content.
"""
