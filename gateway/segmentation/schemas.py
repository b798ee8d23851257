"""Response schemas of the segmentation routes; no field has a default, so none is ever omitted."""

from pydantic import BaseModel, Field

from gateway.http.problems import Problem


class Rle(BaseModel):
    """Run lengths of a class's pixels as COCO has them; pycocotools reads them."""

    size: tuple[int, int] = Field(description="[height, width] of the image in pixels.")
    counts: str = Field(description="COCO's compressed run lengths, column by column.")


Ring = list[list[int]]
Polygon = list[Ring]


class ClassResult(BaseModel):
    """One class that occurs in the image."""

    id: int = Field(ge=0, le=255, description="The value of its pixels in a mask.")
    name: str = Field(description="What the model calls it.")
    colour: str = Field(pattern="^#[0-9a-f]{6}$", description="In the palette asked for.")
    pixels: int = Field(ge=1, description="How many of the image's pixels it has.")
    share: float = Field(ge=0, le=1, description="Share of the image's pixels.")
    bbox: tuple[int, int, int, int] = Field(
        description="Bounding box of all its pixels: x, y, width, height."
    )
    mean_confidence: float = Field(
        ge=0, le=1, description="Mean softmax of the class over its pixels."
    )
    rle: Rle = Field(description="Which pixels it has.")
    polygons: list[Polygon] | None = Field(
        description="Outlines if asked for: closed rings of [x, y], the outer one and its holes."
    )


class BatchLine(BaseModel):
    """What became of one image of a batch: a line of the answer."""

    index: int = Field(ge=0, description="Place of the file in the form, from 0.")
    name: str = Field(description="The file's name in the form; empty if it has none.")
    status: int = Field(description="The HTTP status that the image alone would have had.")
    result: "SegmentationResult | None" = Field(description="What was found, if it was 200.")
    problem: Problem | None = Field(description="What went wrong, if it was not.")


class SegmentationResult(BaseModel):
    """What a model found in an image."""

    request_id: str = Field(description="The same as in X-Request-ID.")
    model: str = Field(description="The model that answered.")
    version: str = Field(description="The version of it that answered.")
    width: int = Field(description="Of the upright image, in pixels.")
    height: int = Field(description="Of the upright image, in pixels.")
    palette: str = Field(description="The palette of the classes' colours.")
    confidence: float = Field(ge=0, le=1, description="Mean over the image.")
    classes: list[ClassResult] = Field(description="Ascending by id, background included.")
    mask: str | None = Field(description="PNG of class ids in base64, if asked for.")
    timings_ms: dict[str, float] = Field(description="Milliseconds spent in each stage.")
