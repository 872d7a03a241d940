"""The API of PyCAS-SSO 0.1.0 on casque's readers and writers of CAS messages."""

from .cas import CASClient

__all__ = ["CASClient"]
