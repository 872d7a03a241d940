"""Namespaces of the messages, and the shape of the request to ``/samlValidate``.

Messages are read and written by ``casque._core``; these names are here for programs that use them.
"""

from __future__ import annotations

__all__ = ["XML_CAS_NS", "XML_SAML_2_NS", "XML_SAML_NS", "XML_SAML_VALIDATE_TEMPLATE"]

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


def _saml(version: str) -> dict[str, str]:
    return {
        "soap": _SOAP,
        "samlp": f"urn:oasis:names:tc:SAML:{version}:protocol",
        "saml": f"urn:oasis:names:tc:SAML:{version}:assertion",
    }


#: Answers to ``/serviceValidate``, ``/proxyValidate`` and ``/proxy``.
XML_CAS_NS = {"cas": "http://www.yale.edu/tp/cas"}

#: Answers to ``/samlValidate``: SAML 1.1, which shares the namespaces of 1.0.
XML_SAML_NS = _saml("1.0")

#: Logout requests.
XML_SAML_2_NS = _saml("2.0")

#: To be filled with ``str.format`` and values that are escaped already. The clients do not use it: their requests are
#: written by ``casque._core``, which escapes.
XML_SAML_VALIDATE_TEMPLATE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{_SOAP}"><SOAP-ENV:Header/><SOAP-ENV:Body>'
    f'<samlp:Request xmlns:samlp="{XML_SAML_NS["samlp"]}" MajorVersion="1" MinorVersion="1" '
    'RequestID="{request_id}" IssueInstant="{issued_at}">'
    "<samlp:AssertionArtifact>{ticket}</samlp:AssertionArtifact>"
    "</samlp:Request></SOAP-ENV:Body></SOAP-ENV:Envelope>"
)
