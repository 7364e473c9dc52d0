import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.core.model.instance.AbstractTreeElement;
import org.javarosa.core.model.instance.InstanceInitializationFactory;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.reference.Reference;
import org.javarosa.core.reference.ReferenceFactory;
import org.javarosa.core.reference.ReferenceManager;
import org.javarosa.core.services.IPropertyManager;
import org.javarosa.core.services.PropertyManager;
import org.javarosa.core.services.properties.IPropertyRules;
import org.javarosa.model.xform.XFormSerializingVisitor;
import org.javarosa.model.xform.XFormsModule;
import org.javarosa.xform.parse.XFormParser;
import org.javarosa.xform.util.XFormAnswerDataSerializer;

/**
 * What JavaRosa, the engine inside ODK Collect, makes of a form and a record.
 *
 * A line in, lines out. Fields are separated by tabs; texts are in Base64 of UTF-8.
 *   form  XFORM            keeps the form                                            → ok | error MESSAGE
 *   media FOLDER           where jr://… files lie                                    → ok
 *   load  INSTANCE         the record, everything in it calculated anew              → node …, xml XML, ok | error
 *   new                    a new record, its defaults and calculations worked out    → node …, xml XML, ok | error
 * where
 *   node PATH RELEVANT REQUIRED CONSTRAINT VALUE     (1 or 0; - for a constraint that is not there or not asked)
 */
public class Oracle {
    private static String folder = "";

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        System.setOut(System.err); // the libraries write there
        new XFormsModule().registerModule();
        PropertyManager.setPropertyManager(new NoProperties());
        ReferenceManager.instance().addReferenceFactory(new Files());

        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String xform = null;
        String line;
        while ((line = in.readLine()) != null) {
            String[] words = line.split("\t", -1);
            try {
                switch (words[0]) {
                    case "form":
                        xform = text(words[1]);
                        new XFormParser(new StringReader(xform)).parse();
                        break;
                    case "media":
                        folder = text(words[1]);
                        break;
                    case "load":
                        report(out, opened(new XFormParser(new StringReader(xform), new StringReader(text(words[1]))), false));
                        break;
                    case "new":
                        report(out, opened(new XFormParser(new StringReader(xform)), true));
                        break;
                    default:
                        throw new IllegalArgumentException(words[0]);
                }
                out.println("ok");
            } catch (Throwable error) {
                out.println("error\t" + base64(String.valueOf(error.getMessage())));
            }
            out.flush();
        }
    }

    private static FormDef opened(XFormParser parser, boolean fresh) throws Exception {
        FormDef form = parser.parse();
        form.initialize(fresh, new InstanceInitializationFactory());
        return form;
    }

    private static void report(PrintStream out, FormDef form) throws IOException {
        StringBuilder lines = new StringBuilder();
        TreeElement root = form.getMainInstance().getRoot();
        node(lines, form, root);
        byte[] xml = new XFormSerializingVisitor().serializeInstance(form.getMainInstance());
        out.print(lines);
        out.println("xml\t" + Base64.getEncoder().encodeToString(xml));
    }

    private static void node(StringBuilder lines, FormDef form, TreeElement element) {
        if (element.getMult() < 0) {
            return; // the template of a repeat
        }
        IAnswerData value = element.getValue();
        String constraint = "-";
        if (element.getConstraint() != null && value != null && element.isRelevant()) {
            constraint = form.evaluateConstraint(element.getRef(), value) ? "1" : "0";
        }
        lines.append("node\t").append(element.getRef().toString(true)).append('\t');
        lines.append(element.isRelevant() ? "1\t" : "0\t").append(element.isRequired() ? "1\t" : "0\t");
        lines.append(constraint).append('\t').append(base64(written(value))).append('\n');
        for (int i = 0; i < element.getNumChildren(); i++) {
            node(lines, form, element.getChildAt(i));
        }
    }

    private static String written(IAnswerData value) {
        if (value == null) {
            return "";
        }
        Object serialised = new XFormAnswerDataSerializer().serializeAnswerData(value);
        return serialised == null ? "" : serialised.toString();
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Every jr:// address is the file of its last part in the media folder. */
    private static class Files implements ReferenceFactory {
        @Override
        public boolean derives(String uri) {
            return uri.startsWith("jr://");
        }

        @Override
        public Reference derive(String uri) {
            return new MediaFile(uri);
        }

        @Override
        public Reference derive(String uri, String context) {
            return new MediaFile(uri);
        }
    }

    private static class MediaFile implements Reference {
        private final String uri;

        MediaFile(String uri) {
            this.uri = uri;
        }

        private File file() {
            return new File(folder, uri.substring(uri.lastIndexOf('/') + 1));
        }

        @Override
        public boolean doesBinaryExist() {
            return file().isFile();
        }

        @Override
        public InputStream getStream() throws IOException {
            return file().isFile() ? new FileInputStream(file()) : new ByteArrayInputStream(new byte[0]);
        }

        @Override
        public String getURI() {
            return uri;
        }

        @Override
        public String getLocalURI() {
            return file().getPath();
        }

        @Override
        public boolean isReadOnly() {
            return true;
        }

        @Override
        public OutputStream getOutputStream() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void remove() {
            throw new UnsupportedOperationException();
        }

        @Override
        public Reference[] probeAlternativeReferences() {
            return new Reference[0];
        }
    }

    private static class NoProperties implements IPropertyManager {
        @Override
        public List<String> getProperty(String name) {
            return null;
        }

        @Override
        public String getSingularProperty(String name) {
            return "";
        }

        @Override
        public void setProperty(String name, String value) {
        }

        @Override
        public void setProperty(String name, List<String> value) {
        }

        @Override
        public void addRules(IPropertyRules rules) {
        }

        @Override
        public List<IPropertyRules> getRules() {
            return null;
        }
    }
}
