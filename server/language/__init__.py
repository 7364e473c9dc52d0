"""The visitor's language: texts of pages, sentences from elsewhere, numbers and days."""
