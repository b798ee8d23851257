"""The mapping of Pascal VOC's classes to the indices of ImageNet's thousand.

ImageNet's order is that of its 2012 challenge, in which the backbones were trained.
"""

from deeplab.spec import read_labels
from scripts.networks.architectures import VOC_LABELS


def _range(first: int, last: int) -> frozenset[int]:
    return frozenset(range(first, last + 1))


BIRDS = _range(7, 24) | _range(80, 100) | _range(127, 146)
DOGS = _range(151, 268) | {273}
CATS = _range(281, 285)

# The class itself.
OWN: dict[str, frozenset[int]] = {
    "aeroplane": frozenset({404, 895}),  # airliner, warplane
    "bicycle": frozenset({444, 671}),  # tandem, mountain bike
    "bird": BIRDS,
    # canoe, catamaran, container ship, fireboat, gondola, lifeboat, liner, pirate ship, schooner,
    # speedboat, trimaran, yawl
    "boat": frozenset({472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914}),
    "bottle": frozenset({440, 720, 737, 898, 907}),  # beer, pill, pop, water, wine
    "bus": frozenset({654, 779, 874}),  # minibus, school bus, trolleybus
    # ambulance, beach wagon, cab, wheel, convertible, grille, jeep, limousine, minivan, Model T,
    # racer, sports car
    "car": frozenset({407, 436, 468, 479, 511, 581, 609, 627, 656, 661, 751, 817}),
    "cat": CATS,
    "chair": frozenset({423, 559, 765, 857}),  # barber, folding, rocking, throne
    "cow": frozenset({345, 346, 347}),  # ox, water buffalo, bison
    "dog": DOGS,
    "horse": frozenset({339, 603}),  # sorrel, horse cart
    "motorbike": frozenset({665, 670}),  # moped, scooter
    "pottedplant": frozenset({738, 883}),  # pot, vase
    "sheep": frozenset({348, 349}),  # ram, bighorn
    "sofa": frozenset({831}),  # studio couch
    # bullet train, electric and steam locomotive, freight car, passenger car, streetcar
    "train": frozenset({466, 547, 565, 705, 820, 829}),
    "tvmonitor": frozenset({664, 782, 851}),  # monitor, screen, television
}
ANIMALS = frozenset({"bird", "cat", "cow", "dog", "horse", "sheep"})

# What a picture of the class may be taken for without contradicting it: things beside it.
BESIDE: dict[str, frozenset[int]] = {
    "aeroplane": frozenset({403, 908}),  # aircraft carrier, wing
    "bicycle": frozenset({665, 670, 870, 880}),  # other things with wheels
    # aircraft carrier, boathouse, breakwater, dock, paddle, pier, submarine, lakeside, seashore
    "boat": frozenset({403, 449, 460, 536, 694, 718, 833, 975, 978}),
    "bottle": frozenset({532, 572, 711, 868, 966}),  # table, goblet, perfume, tray, red wine
    "bus": frozenset({757, 829}),  # recreational vehicle, streetcar
    # fire engine, garbage truck, golf cart, moving van, parking meter, pickup, police van, tow
    # truck, trailer truck, street sign, traffic light
    "car": frozenset({555, 569, 575, 675, 704, 717, 734, 864, 867, 919, 920}),
    # desk, table, entertainment centre, four-poster, bench, patio, restaurant, couch
    "chair": frozenset({526, 532, 548, 564, 703, 706, 762, 831}) | DOGS | CATS,
    "motorbike": frozenset({444, 479, 518, 671}),  # bicycles, wheel, crash helmet
    "pottedplant": frozenset({532, 580}),  # table, greenhouse
    # bookcase, desk, table, entertainment centre, four-poster, pillow, quilt, rocking chair,
    # television, window shade
    "sofa": frozenset({453, 526, 532, 548, 564, 721, 750, 765, 851, 905}) | DOGS | CATS,
    # desk, desktop computer, entertainment centre, home theatre, keyboard, mouse, remote control
    "tvmonitor": frozenset({508, 526, 527, 548, 598, 673, 761}),
}


def voc_ids() -> dict[str, int]:
    """Name -> id of Pascal VOC's classes."""
    return {name: index for index, name in read_labels(VOC_LABELS).items()}
