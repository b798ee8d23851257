package org.apache.http.entity.mime;

import java.io.File;
import org.apache.http.HttpEntity;

/** The methods of httpmime, which the generated pom.xml names, that generated code calls. */
public abstract class MultipartEntityBuilder {
    public static MultipartEntityBuilder create() {
        throw new UnsupportedOperationException();
    }

    public abstract MultipartEntityBuilder addBinaryBody(String name, File file);

    public abstract MultipartEntityBuilder addTextBody(String name, String text);

    public abstract HttpEntity build();
}
