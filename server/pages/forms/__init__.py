"""Forms: what there is, drafts, the rules of each in words, and whole programmes."""
