"""A dataset of two small archives, and its declaration."""

import hashlib

IMAGES = {f"toy/imagesTr/a_{n}.nii.gz": f"image {n}".encode() * 99 for n in range(3)}
LABELS = {f"a_{n}.nii.gz": f"label {n}".encode() * 9 for n in range(3)}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def declaration(archives, url, kind="s3", **changes):
    """The dataset of the two archives, below an address."""
    pins = {name: sha256(archives / name) for name in ("images.zip", "labels.tar.gz")}
    pins |= changes.pop("pins", {})
    more = "\n".join(f"{key} = {value}" for key, value in changes.items())
    return f"""
name = "toy"
title = "Toy"
description = "CT"
licence = "CC BY 4.0"
terms = "Cite the paper"
homepage = "https://example.org"
citation = "Nobody 2026"
access = "open"
how_to_get = "Draw it."

[[sources]]
kind = "{kind}"
id = "toy"
url = "{url}"
{more}

[[sources.downloads]]
name = "images.zip"
sha256 = "{pins["images.zip"]}"
size_bytes = {(archives / "images.zip").stat().st_size}
holds = ["toy/imagesTr/a_*.nii.gz"]

[[sources.downloads]]
name = "labels.tar.gz"
sha256 = "{pins["labels.tar.gz"]}"
into = "toy/labelsTr"
holds = ["a_*.nii.gz"]
"""
