"""The expressions of forms: XForms XPath, compiled to lxml's engine, with JavaRosa's answers."""
