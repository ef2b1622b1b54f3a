"""What can be wrong with an image or with what is asked of it: never retried, straight to the dead letters.

PermanentError
├── BadOperation            the operations cannot be read
├── OutsideImage            the operations can be read, but not done to this image
└── ImageError              the image cannot be used
    ├── NotAnImage          no format that is known here
    ├── TooManyPixels       more than one job may hold in memory
    ├── UnwritableImage     the pixels are there, but the encoder refuses them
    └── BrokenImage         a good header, but the pixels behind it cannot be decoded
        └── TruncatedImage  the file ends too early
"""

from __future__ import annotations

from services.common.errors import PermanentError


class BadOperation(PermanentError):
    """These operations cannot be read. Try `resize,800x600`."""

    code = "bad_operation"


class OutsideImage(PermanentError):
    """Nothing of this image lies where the crop begins. Crop nearer to its top left corner."""

    code = "outside_image"


class ImageError(PermanentError):
    """This image cannot be used. Try another one."""

    code = "bad_image"


class NotAnImage(ImageError):
    """This is no JPEG, PNG, WebP, GIF, BMP or TIFF image that can be read. Send one of these formats."""

    code = "not_an_image"


class TooManyPixels(ImageError):
    """The image has too many pixels. Send a smaller one."""

    code = "too_many_pixels"


class UnwritableImage(ImageError):
    """The image cannot be written in this format. Convert it to another one, or resize it before."""

    code = "unwritable_image"


class BrokenImage(ImageError):
    """The image's data is damaged. Save it again from its source, then send it once more."""

    code = "broken_image"


class TruncatedImage(BrokenImage):
    """The image file ends too early. The upload or the copy before it was cut off: send the whole file."""

    code = "truncated_image"
