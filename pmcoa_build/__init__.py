"""Build PMC-OA from PubMed Central's Cloud Service and train PMC-CLIP on it."""
