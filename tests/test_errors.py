import pickle

from rnncodec.errors import BitstreamError, RNNCodecError


def test_a_bitstream_error_names_the_offset_if_it_knows_it() -> None:
    assert str(BitstreamError("it broke", 12)) == "byte 12: it broke"
    assert str(BitstreamError("it broke")) == "it broke"
    assert isinstance(BitstreamError("it broke"), RNNCodecError)


def test_a_bitstream_error_survives_the_way_out_of_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(BitstreamError("it broke", 12)))
    assert (error.message, error.offset, str(error)) == ("it broke", 12, "byte 12: it broke")
