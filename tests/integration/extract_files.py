"""Files for the tests of extraction, made on the spot."""

import io
import zipfile
from collections.abc import Iterable

import psutil

_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)
_DOCUMENT = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'


def docx(paragraphs: Iterable[str], before: str = "", body: str = "") -> bytes:
    """A DOCX with these paragraphs; `before` stands before its XML, and `body` in it."""
    body += "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS)
        archive.writestr("word/document.xml", f"{before}{_DOCUMENT}{body}</w:body></w:document>")
    return file.getvalue()


def slow_docx() -> bytes:
    """A DOCX of 90 KB that takes over a second and some 450 MB to read."""
    return docx(["hello world"] * 400_000)


def empty_pdf() -> bytes:
    """A PDF with one page and nothing on it, as a scan has no text."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
    ]
    content, offsets = b"%PDF-1.4\n", list[int]()
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + (
        b"xref\n0 4\n0000000000 65535 f \n%strailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (table, len(content))
    )


OTHERS = set[int]()  # children of this process from before the test: servers of other tests


def extractors(of: psutil.Process | None = None) -> list[psutil.Process]:
    """The extractor processes that a process (this one) has started and not yet reaped."""
    return [child for child in (of or psutil.Process()).children() if child.pid not in OTHERS]
