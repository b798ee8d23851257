"""The image formats that the page previews and that its uploader lists."""

# Pillow's name of each format and its file extensions. The handler's policy decides what is
# accepted; a contract test compares the two.
#
# Browsers on Windows save photographs as jfif. Not derived from Pillow, which lists the extensions
# of animations too; not "image/*", which Streamlit does not check on the server.
EXTENSIONS = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png",),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "TIFF": ("tif", "tiff"),
    "BMP": ("bmp",),
    "AVIF": ("avif",),
}
