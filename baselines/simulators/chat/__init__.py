"""Any OpenAI-compatible chat endpoint as a simulator: the screen as an image, the profile, and a question."""
