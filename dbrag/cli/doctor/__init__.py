"""`dbrag doctor`: looks at every part that dbrag needs, and says what is wrong and what to do."""
