"""Every wording, one Jinja file a call."""
