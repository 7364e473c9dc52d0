"""OData v4: the rows of forms and of entity lists, for Excel, Power BI, Tableau, ruODK and pyODK."""
