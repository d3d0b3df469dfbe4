"""The catalogs of sentences: `python tests/catalog.py` reads them out of the source and compiles the translations.

A new language is a line in `LANGUAGES` of imgcls/web/i18n; its file appears here, with nothing translated yet. What is
no longer said goes; what is new has an empty `msgstr`, which tests/test_catalog.py does not let stand.
"""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from imgcls.web.i18n.translator import DOMAIN, LANGUAGES, LOCALE  # noqa: E402
from imgcls.web.standalone import build  # noqa: E402

METHODS = [("**.py", "python"), ("web/**.j2", "jinja2")]
ERRORS = (
    "ImgclsError", "SettingsError", "DatasetError", "WeightsError", "CheckpointError", "RunError", "DivergedError",
    "InputError", "DeviceError", "StorageError", "ServeError", "InstallError",
)  # fmt: skip
SAY = {name: None for name in ("_", "N_", "translate", "Message", "error", *ERRORS)} | {"plural": (1, 2)}


def said() -> Catalog:
    """Every sentence in the source, by what says it: an error, a `Message`, `translate(...)`, a template's `_(...)`."""
    made = Catalog(domain=DOMAIN)
    for _, _, message, _, _ in extract_from_dir(PROJECT / "imgcls", METHODS, keywords=SAY):
        made.add(message)
    return made


def translated(language: str) -> Catalog:
    """What is written in the language's file, in today's sentences."""
    path = source(language)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language, domain=DOMAIN)
    else:
        catalog = Catalog(locale=language, domain=DOMAIN)
    catalog.update(said(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    return [str(m.id) for m in catalog if m.id and not (all(m.string) if isinstance(m.string, tuple) else m.string)]


def source(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def as_po(catalog: Catalog) -> bytes:
    """Sorted, without line numbers and dates: two people's changes meet in different places."""
    file = io.BytesIO()
    write_po(file, catalog, width=0, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True)
    header = f'msgid ""\nmsgstr ""\n"Language: {catalog.locale}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    return (header + f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n').encode() + file.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    """As gettext reads it; the header without the date of compiling, so that the same catalog is the same file."""
    with io.BytesIO(as_po(catalog)) as file:
        plain = read_po(file, locale=catalog.locale, domain=DOMAIN)
    plain.creation_date = datetime(2026, 1, 1, tzinfo=timezone.utc)
    file = io.BytesIO()
    write_mo(file, plain)
    return file.getvalue()


def main() -> None:
    for language in LANGUAGES:
        if language == "en":
            continue
        catalog, path = translated(language), source(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(catalog))
        path.with_suffix(".mo").write_bytes(as_mo(catalog))
        missing = len(untranslated(catalog))
        print(f"{path.relative_to(PROJECT)}: {len(catalog)} sentences, {missing} without a translation")
    import reference  # the other pages that are made from sentences in the source

    reference.main()
    try:
        build.make_anew()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The scripts of pages without a server stay as they are ({error}): it takes npm's npx.")


if __name__ == "__main__":
    main()
