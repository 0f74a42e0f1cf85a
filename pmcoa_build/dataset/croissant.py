"""croissant.json: the dataset described in Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pmcoa_build import schema
from pmcoa_build.dataset.card import COLUMNS

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_RESPONSIBLE = {
    "rai:dataCollection": "Figures of articles in the PubMed Central Open Access Subset whose licences allow passing "
    "them on; panels, labels and subcaptions found by a program.",
    "rai:dataLimitations": "Captions may be wrong about their images. Frequencies are those of publication, not of a "
    "clinic. Not fit for clinical use.",
    "rai:personalSensitiveInformation": "Clinical images can show patients and marks that tell who they are. They were "
    "published with the consent that the journals asked for.",
    "rai:dataReleaseMaintenancePlan": "Retractions, licence changes and requests for removal are followed with each "
    "new version; removed.parquet lists what left.",
}
"""What Croissant's vocabulary for responsible AI asks (http://mlcommons.org/croissant/RAI/)."""

_TYPES = {"string": "sc:Text", "int16": "cr:Int16", "int32": "cr:Int32", "int64": "cr:Int64", "float": "cr:Float32"}


def render_croissant(
    files: Sequence[tuple[str, str, str, int]],
    *,
    name: str,
    dataset_id: str,
    snapshot_date: str,
    accessed: str,
    licences: Sequence[str],
) -> str:
    """croissant.json. `files`: (split, path in the dataset, sha256, bytes); `licences`: URLs; `accessed`: see card."""
    objects = [
        {"@type": "cr:FileObject", "@id": path, "name": path, "contentUrl": path, "sha256": sha256,
         "contentSize": f"{size} B", "encodingFormat": "application/x-parquet"}
        for _, path, sha256, size in files
    ]  # fmt: skip
    splits = list(dict.fromkeys(split for split, *_ in files))
    sets = [
        {"@type": "cr:FileSet", "@id": f"files-{split}", "name": f"files-{split}",
         "encodingFormat": "application/x-parquet", "includes": f"data/{split}-*.parquet"}
        for split in splits
    ]  # fmt: skip
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": "Figures of the PubMed Central Open Access Subset, panel by panel, with their subcaptions.",
        "version": snapshot_date.replace("-0", "-").replace("-", "."),
        "identifier": dataset_id,
        "datePublished": snapshot_date,
        "license": list(licences),
        "keywords": ["biomedical figures", "image-text pairs", "PubMed Central"],
        "citeAs": "NIH NLM NCBI PubMed Central (PMC) Article Datasets - Full-Text Biomedical and Life Sciences Journal "
        f"Articles on AWS was accessed on {accessed} from https://registry.opendata.aws/ncbi-pmc.",
        "url": "https://registry.opendata.aws/ncbi-pmc",
        "isLiveDataset": False,
        **_RESPONSIBLE,
        "distribution": objects + sets,
        "recordSet": [_record_set(split) for split in splits],
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _record_set(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "key": {"@id": f"{split}/panel_id"},
        "field": [_field(split, column) for column in schema.SHARDS],
    }


def _field(split: str, column: pa.Field) -> dict[str, Any]:
    type_, name = column.type, column.name
    extract: dict[str, Any] = {"column": name}
    repeated = pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_)
    source: dict[str, Any] = {"fileSet": {"@id": f"files-{split}"}, "extract": extract}
    if type_ == schema.IMAGE:
        source["transform"] = {"jsonPath": "bytes"}
    value = type_.value_type if repeated else type_
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{name}",
        "name": name,
        "description": COLUMNS[name],
        "dataType": "sc:ImageObject" if type_ == schema.IMAGE else _TYPES[str(value)],
        "source": source,
        **({"repeated": True} if repeated else {}),
    }
